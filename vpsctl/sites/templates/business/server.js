// __TITLE__: its pages, its contact form, and the list of messages for its owner.
import { open, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import { LIMIT, allowed, keep, list, nameOf, prepare } from './messages.js'

const { PORT = '3000', UPLOADS = '/app/uploads', ADMIN_PASSWORD = '' } = process.env
const TITLE = '__TITLE__'
const pool = new pg.Pool({ max: 5, connectionTimeoutMillis: 3000 }) // where to, from the PG* variables
pool.on('error', (error) => console.error(`database: ${error.message}`))

class Refused extends Error {
  constructor(status, message, headers = {}) {
    super(message)
    this.status = status
    this.headers = headers
  }
}

// The pages are few and small: read once.
const html = 'text/html; charset=utf-8'
const pages = new Map(
  await Promise.all(
    [['/', 'index.html', html], ['/thanks', 'thanks.html', html], ['/style.css', 'style.css', 'text/css; charset=utf-8']].map(
      async ([path, file, type]) => [path, { type, body: await readFile(new URL(`public/${file}`, import.meta.url)) }],
    ),
  ),
)

async function contact(request, response) {
  if (!(Number(request.headers['content-length']) <= LIMIT)) throw new Refused(413, 'at most 6 MB, and its length must be said')
  const body = new Request('http://form', { method: 'POST', headers: request.headers, body: Readable.toWeb(request), duplex: 'half' })
  const fields = await body.formData().catch(() => { throw new Refused(400, 'that is not a form') })
  const wrong = await keep(pool, UPLOADS, fields)
  if (wrong) throw new Refused(400, wrong)
  response.writeHead(303, { location: '/thanks' }).end()
}

async function attachment(file, response) {
  const name = await nameOf(pool, file)
  if (!name) throw new Refused(404, 'no such file')
  const kept = await open(join(UPLOADS, file))
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(name)}`,
  })
  await pipeline(kept.createReadStream(), response)
}

async function owner(path, request, response) {
  if (!allowed(request, ADMIN_PASSWORD)) throw new Refused(401, 'for the owner', { 'www-authenticate': 'Basic realm="messages"' })
  const file = /^\/messages\/([0-9a-f-]{36})$/.exec(path)?.[1]
  if (file) return attachment(file, response)
  if (path !== '/messages') throw new Refused(404, 'nothing here')
  response.writeHead(200, { 'content-type': html, 'cache-control': 'no-store' }).end(await list(pool, TITLE))
}

async function route(request, response) {
  const path = request.url.split('?')[0]
  if (path === '/contact' && request.method === 'POST') return contact(request, response)
  if (request.method !== 'GET' && request.method !== 'HEAD') throw new Refused(405, 'only to be read')
  if (path === '/healthz') {
    await pool.query('SELECT 1 FROM messages LIMIT 1')
    return response.writeHead(200, { 'content-type': 'text/plain' }).end('ok\n')
  }
  if (path === '/messages' || path.startsWith('/messages/')) return owner(path, request, response)
  const page = pages.get(path)
  if (!page) throw new Refused(404, 'nothing here')
  response.writeHead(200, { 'content-type': page.type, 'cache-control': 'no-cache' })
  response.end(request.method === 'HEAD' ? undefined : page.body)
}

const server = createServer((request, response) => {
  response.setHeader('x-content-type-options', 'nosniff')
  response.setHeader('content-security-policy', "default-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
  route(request, response).catch((error) => {
    if (!error.status) console.error(`${request.method} ${request.url}: ${error.message}`)
    if (response.headersSent) return response.destroy()
    response.writeHead(error.status ?? 503, { 'content-type': 'text/plain', connection: 'close', ...error.headers })
    response.end(`${error.status ? error.message : 'try again in a moment'}\n`)
  })
})

// Answers what is in flight, takes nothing new, and goes: within stop_grace_period.
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => server.close(() => pool.end().then(() => process.exit(0))))
}

for (let left = 30; ; left -= 1) {
  try {
    await prepare(pool)
    break
  } catch (error) {
    if (left === 0) throw error
    console.error(`the database is not ready: ${error.message}`)
    await new Promise((resolve) => setTimeout(resolve, 1000))
  }
}
server.listen(Number(PORT), () => console.log(`listens on ${PORT}`))
