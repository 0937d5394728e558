import { createRequire } from 'node:module'
import { RE2JS } from 're2js'
import { failed, ok, type Outcome, type Result } from '@barnabas/domain'
import { lazy } from '../lazy.js'
import { failedWith } from '../outcomes.js'

/** A schema as the registry tells it, with everything that it refers to, innermost first. */
export interface RegisteredSchema {
  readonly id: number
  readonly type: SchemaType
  readonly text: string
  readonly references: readonly string[]
}

export const SCHEMA_TYPES = ['AVRO', 'JSON', 'PROTOBUF'] as const
export type SchemaType = (typeof SCHEMA_TYPES)[number]

export interface Encoded {
  readonly value: Buffer
  /** Null: that of the event stays true. */
  readonly contentType: string | null
}

/** Turns JSON payloads into what one schema describes, in the frame that Confluent's deserialisers read. */
export interface SchemaEncoder {
  encode(payload: Buffer): Result<Encoded, Outcome>
}

interface LibrarySchema {
  toBuffer(payload: unknown): Buffer
  /** Says true to everything unless it is given the hook. */
  isValid(payload: unknown, options: { readonly errorHook: () => void }): boolean
}

type ToSchema = (
  schema: { readonly type: SchemaType; readonly schema: string },
  options: Readonly<Record<string, unknown>>,
) => LibrarySchema

/** The library's own client dials by itself and reads answers of any length: only its schemas are used. */
const library = lazy(async (): Promise<ToSchema> => {
  await Promise.resolve()
  const require = createRequire(import.meta.url)
  const resolver = '@kafkajs/confluent-schema-registry/dist/schemaTypeResolver.js'
  return (require(resolver) as { schemaFromConfluentSchema: ToSchema }).schemaFromConfluentSchema
})

/** Fails with the outcome of every event while the schema stays as it is. */
export async function openSchema(schema: RegisteredSchema): Promise<Result<SchemaEncoder, Outcome>> {
  const toSchema = await library()
  try {
    const { type, text } = schema
    const encoder = toSchema({ type, schema: text }, { [type]: optionsOf(schema) })
    return ok({ encode: (payload) => encode(schema, encoder, payload) })
  } catch {
    return failed(
      failedWith('invalid_settings', 'The schema that the registry has for the subject cannot be used.'),
    )
  }
}

function optionsOf({ type, references }: RegisteredSchema): Readonly<Record<string, unknown>> {
  const options = { referencedSchemas: references.map((schema) => ({ type, schema })) }
  return type === 'JSON' ? { ...options, ...AJV_OPTIONS } : options
}

/** Both schema and data come from tenants: patterns are matched in linear time, and unknown words mean nothing. */
const AJV_OPTIONS = {
  strict: false,
  validateFormats: false,
  logger: false,
  code: {
    regExp: Object.assign(
      (pattern: string) => {
        const compiled = RE2JS.compile(pattern)
        return { test: (text: string) => compiled.matcher(text).find() }
      },
      { code: 'undefined' },
    ),
  },
}

/** https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format */
const MAGIC_BYTE = 0
const FRAME_BYTES = 5
/** Of Protobuf only: the list of indexes that leads to the message; one zero is the file's first message. */
const FIRST_MESSAGE = Buffer.from([0])

function encode(
  { id, type }: RegisteredSchema,
  schema: LibrarySchema,
  payload: Buffer,
): Result<Encoded, Outcome> {
  const frame = Buffer.alloc(FRAME_BYTES)
  frame.writeUInt8(MAGIC_BYTE, 0)
  frame.writeInt32BE(id, 1)
  try {
    const data: unknown = JSON.parse(payload.toString('utf8'))
    switch (type) {
      case 'JSON':
        // Checked only: the bytes go out as they came, so that no number loses digits.
        return schema.isValid(data, { errorHook: () => undefined })
          ? ok({ value: Buffer.concat([frame, payload]), contentType: null })
          : unfit()
      case 'AVRO':
        return ok({ value: Buffer.concat([frame, schema.toBuffer(data)]), contentType: 'application/avro' })
      case 'PROTOBUF': {
        const value = Buffer.concat([frame, FIRST_MESSAGE, schema.toBuffer(data)])
        return ok({ value, contentType: 'application/protobuf' })
      }
    }
  } catch {
    return unfit()
  }
}

const unfit = (): Result<Encoded, Outcome> =>
  failed(failedWith('event_refused', 'The event does not fit the schema of the subject.'))
