"""The digest that holds the audit rows older than the chain; the migration that began it and `audit verify` ask alike."""

EARLIER_DIGEST = """SELECT sha256(convert_to(coalesce(string_agg(jsonb_build_array(id, extract(epoch FROM at), actor, door,
 action, target, fields, run_id)::text, E'\\n' ORDER BY id), ''), 'UTF8')) FROM audit WHERE id <= :earlier"""
"""It must never change: a stored digest was made with it."""
