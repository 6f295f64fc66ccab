// The site of the load benchmark: its version on GET, the body back on POST, slow answers, WebSockets that echo.
const { createServer } = require('node:http');
const { createHash } = require('node:crypto');

const version = process.env.VERSION ?? '1';

const server = createServer((request, response) => {
  if (request.method === 'POST') {
    request.pipe(response);
  } else if (request.url.startsWith('/slow')) {
    setTimeout(() => response.end(version), 3000);
  } else {
    response.setHeader('Content-Length', version.length);
    response.end(version);
  }
});

server.on('upgrade', (request, socket) => {
  const key = request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'; // RFC 6455, section 1.3
  const accept = createHash('sha1').update(key).digest('base64');
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  socket.on('error', () => socket.destroy());
  socket.on('data', (frame) => {
    // One masked text frame under 126 bytes at a time is all that the benchmark sends.
    if ((frame[0] & 0x0f) !== 1) return socket.end(Buffer.from([0x88, 0]));
    const length = frame[1] & 0x7f;
    const text = Buffer.from(frame.subarray(6, 6 + length)).map((byte, index) => byte ^ frame[2 + (index % 4)]);
    socket.write(Buffer.concat([Buffer.from([0x81, length]), text]));
  });
});

server.keepAliveTimeout = 300_000;
server.listen(8000);
process.on('SIGTERM', () => process.exit(0)); // as most apps end: at once, whatever is in flight
