import { failed, ok, type Outcome, type Result } from '@barnabas/domain'
import type { AttemptInfo, OutgoingEvent, Sender } from '../driver.js'
import { exchange } from '../http/api-outcome.js'
import { HttpTarget } from '../http/http-target.js'
import { textMaker, type TextMaker } from '../message-text.js'
import { failedWith } from '../outcomes.js'
import type { Vendor } from '../vendor.js'
import { ACTIONS, alertBody, SEVERITIES, type Alert, type Problem } from './pagerduty.event.js'
import { meaningOfPagerDuty } from './pagerduty.outcome.js'

const HEADERS = { 'content-type': 'application/json', 'user-agent': 'barnabas/0.1' }

export interface PagerDutyTemplates {
  readonly action_template: string
  readonly dedup_key_template: string
  readonly severity_template: string
  readonly summary_template: string
  readonly source_template: string
  readonly component_template?: string
}

/** Sends alerts to one integration. */
export class PagerDutySender implements Sender {
  private readonly target: HttpTarget
  private readonly action: TextMaker
  private readonly dedupKey: TextMaker
  private readonly severity: TextMaker
  private readonly summary: TextMaker
  private readonly source: TextMaker
  private readonly component: TextMaker | null

  constructor(
    { url, network }: Vendor,
    private readonly routingKey: string,
    templates: PagerDutyTemplates,
  ) {
    this.target = new HttpTarget(url, network, { secrets: [routingKey] })
    this.action = maker('action', templates.action_template)
    this.dedupKey = maker('deduplication key', templates.dedup_key_template)
    this.severity = maker('severity', templates.severity_template)
    this.summary = maker('summary', templates.summary_template)
    this.source = maker('source', templates.source_template)
    const { component_template: component } = templates
    this.component = component === undefined ? null : maker('component', component)
  }

  async send(event: OutgoingEvent, attempt: AttemptInfo, signal: AbortSignal): Promise<Outcome> {
    const alert = this.alert(event, attempt)
    if (!alert.ok) return failedWith('template_failed', alert.failure)
    const body = alertBody(alert.value, event)
    return exchange(this.target, { method: 'POST', headers: HEADERS, body }, meaningOfPagerDuty, signal)
  }

  close(): Promise<void> {
    return this.target.close()
  }

  private alert(event: OutgoingEvent, attempt: AttemptInfo): Result<Alert, string> {
    const action = oneOf('action', ACTIONS, this.action(event, attempt))
    if (!action.ok) return action
    const dedupKey = this.dedupKey(event, attempt)
    if (!dedupKey.ok) return dedupKey
    const alert = { routingKey: this.routingKey, dedupKey: dedupKey.value, action: action.value }
    if (action.value !== 'trigger') return ok({ ...alert, problem: null })
    const problem = this.problem(event, attempt)
    return problem.ok ? ok({ ...alert, problem: problem.value }) : problem
  }

  private problem(event: OutgoingEvent, attempt: AttemptInfo): Result<Problem, string> {
    const severity = oneOf('severity', SEVERITIES, this.severity(event, attempt))
    if (!severity.ok) return severity
    const summary = this.summary(event, attempt)
    if (!summary.ok) return summary
    const source = this.source(event, attempt)
    if (!source.ok) return source
    const component = this.component?.(event, attempt)
    return ok({
      summary: summary.value,
      severity: severity.value,
      source: source.value,
      component: component?.ok ? component.value : null,
    })
  }
}

const maker = (name: string, expression: string): TextMaker => textMaker(name, expression, () => '')

function oneOf<Value extends string>(
  name: string,
  values: readonly Value[],
  made: Result<string, string>,
): Result<Value, string> {
  if (!made.ok) return made
  const value = values.find((one) => one === made.value)
  return value === undefined
    ? failed(`The ${name} template gives none of ${values.join(', ')} for this event.`)
    : ok(value)
}
