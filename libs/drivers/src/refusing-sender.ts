import type { Outcome } from '@barnabas/domain'
import type { Sender } from './driver.js'

/** Of settings that are valid and yet cannot be used here: each event gets the same outcome. */
export class RefusingSender implements Sender {
  constructor(private readonly outcome: Outcome) {}

  send(): Promise<Outcome> {
    return Promise.resolve(this.outcome)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}
