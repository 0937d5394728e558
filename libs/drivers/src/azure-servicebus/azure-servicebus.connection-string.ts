/** What of a connection string is used. */
export interface ServiceBusConnection {
  readonly host: string
  readonly keyName: string
  readonly key: string
  /** Null when the string is for the whole namespace. */
  readonly entity: string | null
}

/** Namespaces of Azure's clouds: https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure */
const HOST =
  /^[a-z0-9-]{1,63}\.servicebus\.(?:windows\.net|usgovcloudapi\.net|chinacloudapi\.cn|cloudapi\.de)$/
const FIELDS = ['Endpoint', 'SharedAccessKeyName', 'SharedAccessKey', 'EntityPath'] as const
type Field = (typeof FIELDS)[number]

const isField = (name: string): name is Field => FIELDS.some((one) => one === name)

/** What is wrong with a connection string, or null. */
export function checkConnectionString(value: string): string | null {
  const read = readConnectionString(value)
  return typeof read === 'string' ? read : null
}

/** The parts of a connection string, or what is wrong with it. */
export function readConnectionString(value: string): ServiceBusConnection | string {
  const fields = new Map<Field, string>()
  for (const part of value.split(';').filter((one) => one.trim() !== '')) {
    const at = part.indexOf('=')
    const name = part.slice(0, at).trim()
    if (!isField(name)) return 'must have only Endpoint, SharedAccessKeyName, SharedAccessKey and EntityPath'
    if (fields.has(name)) return `must have ${name} once`
    fields.set(name, part.slice(at + 1).trim())
  }
  const host = hostOf(fields.get('Endpoint') ?? '')
  if (host === null) return 'must have an Endpoint such as sb://my-namespace.servicebus.windows.net/'
  const [keyName, key] = [fields.get('SharedAccessKeyName'), fields.get('SharedAccessKey')]
  if (!keyName || !key) return 'must have SharedAccessKeyName and SharedAccessKey'
  return { host, keyName, key, entity: fields.get('EntityPath') ?? null }
}

function hostOf(endpoint: string): string | null {
  const host = /^sb:\/\/([^/]+)\/?$/i.exec(endpoint)?.[1]?.toLowerCase() ?? ''
  return HOST.test(host) ? host : null
}
