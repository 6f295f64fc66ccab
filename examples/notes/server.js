// Notes with pictures: the text in Postgres, the pictures on a volume.
import { randomUUID } from 'node:crypto'
import { open, rename, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import { page } from './page.js'

const { PORT = '3000', VERSION = '1', UPLOADS = '/app/uploads' } = process.env
const LIMIT = 6 * 1024 * 1024
const pool = new pg.Pool({ max: 5, connectionTimeoutMillis: 3000 }) // where to, from the PG* variables
pool.on('error', (error) => console.error(`database: ${error.message}`))

const KINDS = [
  ['png', 'image/png', (head) => head.subarray(0, 4).equals(Buffer.from([0x89, 0x50, 0x4e, 0x47]))],
  ['jpg', 'image/jpeg', (head) => head.subarray(0, 3).equals(Buffer.from([0xff, 0xd8, 0xff]))],
  ['gif', 'image/gif', (head) => head.subarray(0, 4).toString('latin1') === 'GIF8'],
  ['webp', 'image/webp', (head) => head.subarray(8, 12).toString('latin1') === 'WEBP'],
]

class Refused extends Error {
  constructor(status, message) {
    super(message)
    this.status = status
  }
}

// Several replicas start at once; CREATE TABLE IF NOT EXISTS alone lets two of them collide.
async function prepare() {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    await client.query('SELECT pg_advisory_xact_lock(1)')
    await client.query(`CREATE TABLE IF NOT EXISTS notes (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text text NOT NULL, picture text, at timestamptz NOT NULL DEFAULT now())`)
    await client.query('COMMIT')
  } finally {
    client.release()
  }
}

async function form(request) {
  if (!(Number(request.headers['content-length']) <= LIMIT)) throw new Refused(413, 'at most 6 MB, and its length must be said')
  const body = new Request('http://form', { method: 'POST', headers: request.headers, body: Readable.toWeb(request), duplex: 'half' })
  return body.formData().catch(() => { throw new Refused(400, 'that is not a form') })
}

async function keep(picture) {
  if (typeof picture === 'string' || !picture?.size) return null
  const bytes = Buffer.from(await picture.arrayBuffer())
  const kind = KINDS.find(([, , matches]) => matches(bytes))
  if (!kind) throw new Refused(415, 'a picture is PNG, JPEG, GIF or WebP')
  const name = `${randomUUID()}.${kind[0]}`
  await writeFile(join(UPLOADS, `.${name}`), bytes)
  await rename(join(UPLOADS, `.${name}`), join(UPLOADS, name))
  return name
}

async function add(request, response) {
  const fields = await form(request)
  const text = String(fields.get('text') ?? '').trim()
  if (!text || text.length > 2000) throw new Refused(400, 'a note has 1 to 2000 characters')
  await pool.query('INSERT INTO notes (text, picture) VALUES ($1, $2)', [text, await keep(fields.get('picture'))])
  response.writeHead(303, { location: '/' }).end()
}

async function show(request, response) {
  const { rows } = await pool.query('SELECT id, text, picture, at FROM notes ORDER BY id DESC LIMIT 50')
  response.writeHead(200, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'",
  })
  response.end(request.method === 'HEAD' ? undefined : page(rows, VERSION))
}

async function picture(name, response) {
  const kind = KINDS.find(([extension]) => name.endsWith(`.${extension}`))
  const file = await open(join(UPLOADS, name)).catch((error) => {
    throw error.code === 'ENOENT' ? new Refused(404, 'no such picture') : error
  })
  response.writeHead(200, { 'content-type': kind[1], 'cache-control': 'public, max-age=31536000, immutable' })
  await pipeline(file.createReadStream(), response)
}

async function healthy(response) {
  await pool.query('SELECT 1 FROM notes LIMIT 1')
  response.writeHead(200, { 'content-type': 'text/plain' }).end('ok\n')
}

async function route(request, response) {
  const path = request.url.split('?')[0]
  const reading = request.method === 'GET' || request.method === 'HEAD'
  const name = /^\/uploads\/([0-9a-f-]{36}\.(?:png|jpg|gif|webp))$/.exec(path)?.[1]
  if (path === '/healthz' && reading) return healthy(response)
  if (path === '/' && reading) return show(request, response)
  if (path === '/notes' && request.method === 'POST') return add(request, response)
  if (name && reading) return picture(name, response)
  throw new Refused(404, 'nothing here')
}

const server = createServer((request, response) => {
  response.setHeader('x-version', VERSION)
  response.setHeader('x-content-type-options', 'nosniff')
  route(request, response).catch((error) => {
    if (!error.status) console.error(`${request.method} ${request.url}: ${error.message}`)
    if (response.headersSent) return response.destroy()
    response.writeHead(error.status ?? 503, { 'content-type': 'text/plain', connection: 'close' })
    response.end(`${error.status ? error.message : 'try again in a moment'}\n`)
  })
})

// Answers what is in flight, takes nothing new, and goes: within stop_grace_period.
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => server.close(() => pool.end().then(() => process.exit(0))))
}

for (let left = 30; ; left -= 1) {
  try {
    await prepare()
    break
  } catch (error) {
    if (left === 0) throw error
    console.error(`the database is not ready: ${error.message}`)
    await new Promise((resolve) => setTimeout(resolve, 1000))
  }
}
server.listen(Number(PORT), () => console.log(`version ${VERSION} listens on ${PORT}`))
