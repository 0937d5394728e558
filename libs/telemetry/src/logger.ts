import pino from 'pino'

type Write = (fields: object, message: string) => void

/** One wide line per business step: `message` is the step's name, `fields` are snake_case with units. */
export interface Logger {
  readonly debug: Write
  readonly info: Write
  readonly warn: Write
  readonly error: Write
}

export interface LoggerOptions {
  readonly app: string
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  /** Lines for people instead of JSON. */
  readonly isPretty: boolean
}

/** A last line of defence: what carries a secret must not be logged in the first place. */
const REDACTED = ['authorization', 'credentials', 'secret', 'password', 'payload', '*.authorization', '*.credentials',
  '*.secret', '*.password', '*.payload'] // prettier-ignore

/** JSON lines on standard output, or pretty ones. */
export function createLogger({ app, level, isPretty }: LoggerOptions): Logger {
  const options: pino.LoggerOptions = {
    level,
    base: { app },
    messageKey: 'message',
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: REDACTED, censor: '(redacted)' },
  }
  if (!isPretty) return pino(options)
  const transport: pino.TransportSingleOptions = {
    target: 'pino-pretty',
    options: {
      messageKey: 'message',
      ignore: 'pid,hostname,app',
      translateTime: 'HH:MM:ss.l',
      singleLine: true,
    },
  }
  // pino does not take level formatters together with a transport.
  const { formatters: _formatters, ...plain } = options
  return pino({ ...plain, transport })
}

/** What Nest's own lines need; only its warnings and errors are ours to pass on. */
export function nestLogger(log: Logger) {
  const context = (rest: readonly unknown[]): object => ({ context: rest.at(-1) })
  return {
    log: (message: unknown, ...rest: unknown[]) => log.debug(context(rest), `nest: ${String(message)}`),
    warn: (message: unknown, ...rest: unknown[]) => log.warn(context(rest), `nest: ${String(message)}`),
    error: (message: unknown, ...rest: unknown[]) =>
      log.error({ ...context(rest), stack: rest[0] }, `nest: ${String(message)}`),
  }
}
