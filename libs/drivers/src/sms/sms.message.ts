import type { OutgoingEvent } from '../driver.js'
import { cut, readable, standardText } from '../message-text.js'

/** https://www.twilio.com/docs/messaging/api/message-resource: longer bodies are error 21617. */
const MAX_BODY_LENGTH = 1_600
/** One segment of the GSM alphabet; each further one is paid for. */
const SEGMENT_LENGTH = 160
/** `…` is in the message alphabet of no phone network: one of them would double the number of segments. */
const CUT_MARK = '...'

/** What a text message says without a template: about one segment. */
export const standardSms = (event: OutgoingEvent): string =>
  cut(standardText(event), SEGMENT_LENGTH, CUT_MARK)

/** Who sends: a number or name, or a messaging service, which chooses. */
export interface SmsParties {
  readonly to: string
  readonly from?: string
  readonly messaging_service_sid?: string
}

/** The form of a request to `/Messages.json`. */
export function smsForm({ to, from, messaging_service_sid }: SmsParties, text: string): string {
  const form = new URLSearchParams({ To: to, Body: cut(readable(text), MAX_BODY_LENGTH, CUT_MARK) })
  if (messaging_service_sid === undefined) form.set('From', from ?? '')
  else form.set('MessagingServiceSid', messaging_service_sid)
  return form.toString()
}
