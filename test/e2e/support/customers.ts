import { uniqueName } from '@barnabas/testing'
import type { Destination, Published } from './api.js'
import { Inbox, type AnswerRule } from './inbox.js'
import type { Stack } from './stack.js'

/** A destination with its endpoint. */
export interface Subscriber {
  readonly id: string
  /** As shown once, in the answer to its creation. */
  readonly secret: string
  readonly inbox: Inbox
}

export interface SubscriberOptions {
  readonly id?: string
  readonly topics?: readonly string[] | '*'
  readonly filter?: object
  readonly answer?: AnswerRule
}

/** A tenant of its own for each test, so that tests share a stack and nothing else. */
export class Customer {
  readonly inboxes: Inbox[] = []

  private constructor(
    private readonly stack: Stack,
    readonly id: string,
  ) {}

  static async register(stack: Stack, name = 'tenant'): Promise<Customer> {
    const id = uniqueName(name)
    const answer = await stack.api.send('PUT', `/tenants/${id}`, '{}')
    if (answer.status > 201) throw new Error(`PUT /tenants/${id} answered ${answer.status}: ${answer.text}`)
    return new Customer(stack, id)
  }

  get path(): string {
    return `/tenants/${this.id}/destinations`
  }

  async subscribe(options: SubscriberOptions = {}): Promise<Subscriber> {
    const inbox = await Inbox.open(options.answer)
    this.inboxes.push(inbox)
    const answer = await this.stack.api.post<Destination>(this.path, {
      ...(options.id === undefined ? {} : { id: options.id }),
      type: 'webhook',
      topics: options.topics ?? '*',
      ...(options.filter === undefined ? {} : { filter: options.filter }),
      config: { url: inbox.url },
    })
    if (answer.status !== 201) throw new Error(`POST ${this.path} answered ${answer.status}: ${answer.text}`)
    return { id: answer.body.id, secret: answer.body.credentials.secret, inbox }
  }

  publish(event: object = {}): Promise<Published> {
    return this.stack.api.publish({ tenant_id: this.id, topic: 'order.paid', data: { amount: 1 }, ...event })
  }

  destination(id: string): Promise<Destination> {
    return this.stack.api.get<Destination>(`${this.path}/${id}`).then(({ body }) => body)
  }

  /** Ends its deliveries too: what still waits in a tier is cancelled. */
  async leave(): Promise<void> {
    await this.stack.api.send('DELETE', `/tenants/${this.id}`)
    await Promise.all(this.inboxes.map((inbox) => inbox.close()))
  }
}

/** Registers customers for one test and lets them all leave after it. */
export class Customers {
  private readonly registered: Customer[] = []

  constructor(private readonly stack: () => Stack) {}

  async register(name?: string): Promise<Customer> {
    const customer = await Customer.register(this.stack(), name)
    this.registered.push(customer)
    return customer
  }

  async leave(): Promise<void> {
    await Promise.all(this.registered.splice(0).map((customer) => customer.leave()))
  }
}
