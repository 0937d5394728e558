/** A record as a service would write it, in one of the three forms. Metadata `via` tells the receiver which. */
export interface IngestRecord {
  readonly key: string
  readonly value: Buffer
  readonly headers: Readonly<Record<string, string>>
}

const json = (value: object): Buffer => Buffer.from(JSON.stringify(value))
const data = (number: number): object => ({ order_id: `ord_${number}`, total_cents: number * 1_250 })

/** The JSON of `POST /publish` as the value. */
const publishJson = (tenantId: string, number: number): IngestRecord => ({
  key: tenantId,
  value: json({
    tenant_id: tenantId,
    topic: 'order.created',
    metadata: { via: 'Kafka, publish JSON' },
    data: data(number),
  }),
  headers: {},
})

/** CloudEvents, binary mode: attributes in headers, the value is the data; the record's key names the tenant. */
const binaryCloudEvent = (tenantId: string, number: number): IngestRecord => ({
  key: tenantId,
  value: json(data(number)),
  headers: {
    ce_specversion: '1.0',
    ce_id: String(number),
    ce_source: '/demo/shop',
    ce_type: 'order.created',
    ce_via: 'Kafka, CloudEvents binary',
    'content-type': 'application/json',
  },
})

/** CloudEvents, structured mode: attributes and data in one JSON object. */
const structuredCloudEvent = (tenantId: string, number: number): IngestRecord => ({
  key: tenantId,
  value: json({
    specversion: '1.0',
    id: String(number),
    source: '/demo/shop',
    type: 'order.created',
    tenantid: tenantId,
    via: 'Kafka, CloudEvents structured',
    data: data(number),
  }),
  headers: { 'content-type': 'application/cloudevents+json' },
})

const FORMS = [publishJson, binaryCloudEvent, structuredCloudEvent]

/** `count` records, the forms in turn. */
export function ingestRecords(tenantId: string, count: number): IngestRecord[] {
  return Array.from({ length: count }, (_, index) => {
    const form = FORMS[index % FORMS.length] ?? publishJson
    return form(tenantId, index + 1)
  })
}
