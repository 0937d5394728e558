import { createHash } from 'node:crypto'
import type { AttemptInfo, OutgoingEvent } from '../driver.js'
import { cut, oneLine, readable } from '../message-text.js'

/** RFC 5322 §2.1.1 limits lines, not subjects; mail programs show less than this. */
const MAX_SUBJECT_LENGTH = 255

/** ASCII addresses without quotes and comments: what people type, and nothing that means more than an address. */
const ADDRESS =
  /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?=[A-Za-z0-9.-]{1,253}$)[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*$/

export const isAddress = (text: string): boolean => ADDRESS.test(text)

/** The addresses of a list with commas. */
export const addressesIn = (list: string): readonly string[] =>
  list
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')

export const domainOf = (address: string): string => address.slice(address.lastIndexOf('@') + 1)

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Text that a browser shows as it is, between tags and in attributes. */
export const escapeHtml = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? character)

/** The text as a page, its lines and spaces kept. */
const htmlOf = (text: string): string =>
  `<!doctype html><html><body><div style="white-space:pre-wrap;font-family:sans-serif">${escapeHtml(text)}</div></body></html>`

/** Who writes to whom. */
export interface Envelope {
  readonly from: { readonly name: string; readonly address: string }
  readonly to: readonly string[]
}

/** A mail, in the form of nodemailer; every text in it is safe where it stands. */
export interface Mail {
  readonly from: { readonly name: string; readonly address: string }
  readonly to: string[]
  readonly subject: string
  readonly text: string
  readonly html: string
  readonly messageId: string
  readonly headers: Readonly<Record<string, string>>
}

export interface Contents {
  readonly subject: string
  readonly text: string
}

/**
 * The mail of an event. `Message-ID` is the same on every attempt of a delivery, so that mail programs and servers can
 * recognise repeats. `Auto-Submitted` (RFC 3834) keeps absence notes from answering.
 */
export function mailOf(
  { from, to }: Envelope,
  contents: Contents,
  { meta }: OutgoingEvent,
  attempt: AttemptInfo,
): Mail {
  const text = readable(contents.text)
  const id = createHash('sha256').update(attempt.deliveryId).digest('hex').slice(0, 40)
  return {
    from,
    to: [...to],
    subject: cut(oneLine(contents.subject), MAX_SUBJECT_LENGTH),
    text,
    html: htmlOf(text),
    messageId: `<${id}@${domainOf(from.address)}>`,
    headers: {
      'Auto-Submitted': 'auto-generated',
      'X-Barnabas-Event-Id': oneLine(meta.id),
      'X-Barnabas-Topic': oneLine(meta.topic),
      'X-Barnabas-Event-Time': oneLine(meta.time),
      'X-Barnabas-Delivery-Id': oneLine(attempt.deliveryId),
      'X-Barnabas-Attempt': String(attempt.number),
    },
  }
}
