/** 1 KB as JSON, the size that the figures are stated for unless they say otherwise. */
export const USUAL_BYTES = 1_024

const order = {
  order_id: 'ord_8f41c2',
  status: 'paid',
  currency: 'EUR',
  total_cents: 12_950,
  customer: { id: 'cus_5521', country: 'CZ', locale: 'cs-CZ' },
  items: [
    { sku: 'LAMP-02', quantity: 1, price_cents: 8_950 },
    { sku: 'BULB-11', quantity: 4, price_cents: 1_000 },
  ],
  note: '',
}

/** The `data` of an event: a realistic object as JSON, filled up to `bytes`. */
export const sampleData = (bytes: number): string =>
  JSON.stringify({ ...order, note: 'x'.repeat(bytes - JSON.stringify(order).length) })
