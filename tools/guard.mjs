// Runs one service and ends it when the parent dies: the parent holds the other end of standard input, which the
// kernel closes whatever kills it. Arguments: one JSON object { command, args, cwd, uid, stopSignal, logFile }.
import { spawn } from 'node:child_process'
import { openSync } from 'node:fs'

const KILL_AFTER_MS = 15_000

const { command, args, cwd, env, uid, stopSignal, logFile } = JSON.parse(process.argv[2] ?? '{}')
const log = openSync(logFile, 'a', 0o600)
const child = spawn(command, args, {
  cwd,
  env: { ...process.env, ...env },
  stdio: ['ignore', log, log],
  ...(uid === undefined ? {} : { uid, gid: uid }),
})

let isStopping = false
function stop() {
  if (isStopping) return
  isStopping = true
  child.kill(stopSignal)
  setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS).unref()
}

child.on('error', (error) => {
  process.stdout.write(`error ${error.message}\n`)
  process.exit(1)
})
child.on('spawn', () => process.stdout.write(`pid ${child.pid}\n`))
child.on('exit', (code, signal) => {
  process.stdout.write(`exit ${code ?? signal}\n`, () => process.exit(0))
})
// The parent may be gone when this writes: then there is nobody to tell.
process.stdout.on('error', () => undefined)
process.stdin.on('end', stop).on('error', stop).resume()
process.on('SIGTERM', stop)
process.on('SIGINT', stop)
process.on('SIGHUP', stop)
