// What visitors wrote: kept in Postgres, their files on the volume, and shown to the one who has the password.
import { createHash, randomUUID, timingSafeEqual } from 'node:crypto'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export const LIMIT = 6 * 1024 * 1024
const escape = (text) =>
  String(text).replace(/[&<>"']/g, (char) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' })[char])

// Several replicas start at once; CREATE TABLE IF NOT EXISTS alone lets two of them collide.
export async function prepare(pool) {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    await client.query('SELECT pg_advisory_xact_lock(1)')
    await client.query(`CREATE TABLE IF NOT EXISTS messages (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, email text NOT NULL, text text NOT NULL,
      file text, file_name text, at timestamptz NOT NULL DEFAULT now())`)
    await client.query('COMMIT')
  } finally {
    client.release()
  }
}

// Returns what is wrong with the message, or nothing when it is kept.
export async function keep(pool, uploads, fields) {
  if (fields.get('website')) return undefined // the trap: only programs fill it in
  const [name, email, text] = ['name', 'email', 'text'].map((key) => String(fields.get(key) ?? '').trim())
  if (!name || !text || name.length > 200 || text.length > 5000) return 'a message has a name and 1 to 5000 characters'
  if (!/^\S+@\S+$/.test(email) || email.length > 200) return 'the address to answer to is missing'
  const file = fields.get('file')
  const kept = typeof file !== 'string' && file?.size ? randomUUID() : null
  if (kept) {
    await writeFile(join(uploads, `.${kept}`), Buffer.from(await file.arrayBuffer()))
    await rename(join(uploads, `.${kept}`), join(uploads, kept))
  }
  await pool.query('INSERT INTO messages (name, email, text, file, file_name) VALUES ($1, $2, $3, $4, $5)', [
    name, email, text, kept, kept && file.name.slice(0, 200),
  ])
  return undefined
}

export async function list(pool, title) {
  const { rows } = await pool.query('SELECT id, name, email, text, file, file_name, at FROM messages ORDER BY id DESC LIMIT 200')
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Messages · ${escape(title)}</title><link rel="stylesheet" href="/style.css"></head>
<body><header><p class="name"><a href="/">${escape(title)}</a></p></header>
<main><h1>Messages</h1>${rows.map(one).join('') || '<p>Nobody has written yet.</p>'}</main></body>
</html>
`
}

const one = ({ name, email, text, file, file_name: label, at }) => `<article class="messages">
<h2>${escape(name)}</h2><a href="mailto:${escape(encodeURIComponent(email))}">${escape(email)}</a>, <time>${escape(at.toUTCString())}</time>
<p>${escape(text)}</p>${file ? `<a href="/messages/${file}">${escape(label)}</a>` : ''}</article>`

export const nameOf = async (pool, file) =>
  (await pool.query('SELECT file_name FROM messages WHERE file = $1', [file])).rows[0]?.file_name

// Hashed first, so that the comparison takes as long for every length.
export function allowed(request, password) {
  const [kind, coded = ''] = (request.headers.authorization ?? '').split(' ')
  const given = Buffer.from(coded, 'base64').toString()
  const hash = (text) => createHash('sha256').update(text).digest()
  return Boolean(password) && kind === 'Basic' && timingSafeEqual(hash(given), hash(`admin:${password}`))
}
