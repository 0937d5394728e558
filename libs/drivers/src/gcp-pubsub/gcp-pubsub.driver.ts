import { readFileSync } from 'node:fs'
import { defineDriver } from '../driver.js'
import { document, select, template, text } from '../fields.js'
import { failedWith } from '../outcomes.js'
import { addressOfUrl } from '../network/http.js'
import type { Network } from '../network/network.js'
import { RefusingSender } from '../refusing-sender.js'
import { openTemplate } from '../template.js'
import type { ClientOptions } from './gcp-pubsub.client.js'
import { checkKey, readKey } from './gcp-pubsub.key.js'
import { PubsubSender } from './gcp-pubsub.sender.js'
import { serviceIdentityOf } from './gcp-pubsub.trust.js'

/** The guide and the icon lie beside the source, whether this file runs from `src` or from `dist`. */
const asset = (name: string): string =>
  readFileSync(new URL(`../../src/gcp-pubsub/${name}`, import.meta.url), 'utf8')

const AUTHENTICATIONS = ['key', 'workload_identity'] as const
const NO_IDENTITY =
  'This service has no account at Google Cloud that destinations may use; give the key of a service account.'
const GOOGLE = 'pubsub.googleapis.com:443'

type Way = Pick<ClientOptions, 'network' | 'address' | 'tls'>

function google(endpoint: string, network: Network): Way {
  return { network, address: addressOfUrl(`https://${endpoint}`), tls: {} }
}

const emulator = (url: string, network: Network): Way => ({
  network: network.unjudged(),
  address: addressOfUrl(url),
  tls: null,
})

/** Google Cloud Pub/Sub: each event is one message of a topic. */
export const gcpPubsub = defineDriver({
  type: 'gcp_pubsub',
  label: 'Google Cloud Pub/Sub',
  description: 'Publishes each event as a message to a Pub/Sub topic.',
  instructions: asset('setup.md'),
  icon: asset('icon.svg'),
  config: {
    project_id: text({
      label: 'Project ID',
      description: 'The Google Cloud project that the topic belongs to, for example my-project-123.',
      // https://cloud.google.com/resource-manager/docs/creating-managing-projects
      pattern: /(?:[a-z0-9\-.]{1,100}:)?[a-z][a-z\-0-9]{4,28}[a-z0-9]/,
      expected: 'must be the ID of a project, such as my-project-123',
    }),
    topic: text({
      label: 'Topic',
      description: 'The name of the topic, without projects/… before it.',
      // https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names
      pattern: /(?!goog)[A-Za-z][A-Za-z0-9\-._~+%]{2,254}/,
      expected: 'must be the name of a topic: 3 to 255 letters, digits and -._~+%, beginning with a letter',
    }),
    endpoint: text({
      label: 'Endpoint',
      description: 'Only if you need a regional endpoint, for example us-east1-pubsub.googleapis.com:443.',
      default: GOOGLE,
      pattern: /(?:[a-z\-0-9]{1,63}\.){1,5}googleapis\.com:443/,
      expected: "must be an endpoint of Google's, such as us-east1-pubsub.googleapis.com:443",
    }),
    authentication: select(AUTHENTICATIONS, {
      label: 'Authentication',
      description:
        'As whom events are published: a service account of yours, by its key, or the account of this service, if its operator has set one up.',
      default: 'key',
      labels: { key: 'Service account key', workload_identity: 'Account of this service' },
    }),
    ordering_key_template: template({
      label: 'Ordering key template',
      description:
        'A JMESPath expression that gives the ordering key, for example data.customer_id. Empty = no ordering.',
    }),
  },
  credentials: {
    service_account_json: document({
      label: 'Service account key',
      description:
        'The whole content of the JSON key file of a service account that may publish to the topic. Not with the account of this service.',
      sensitive: true,
      required: false,
      check: checkKey,
    }),
  },
  target: ({ project_id, topic }) => ({
    target: `projects/${project_id}/topics/${topic}`,
    targetUrl: `https://console.cloud.google.com/cloudpubsub/topic/detail/${topic}?project=${project_id}`,
  }),
  addresses: () => [],
  identity: ({ config }) =>
    config.authentication === 'workload_identity'
      ? { provider: 'google', path: 'config.authentication' }
      : null,
  check: ({ config: { authentication }, credentials: { service_account_json: key } }) => {
    const path = 'credentials.service_account_json'
    if (authentication === 'key')
      return key === undefined ? [{ path, message: 'is required when config.authentication is key' }] : []
    return key === undefined
      ? []
      : [{ path, message: 'must be empty when config.authentication is workload_identity; "" clears it' }]
  },
  open: ({ config, credentials }, tools) => {
    const ours = tools.endpoints.get('gcp_pubsub')
    const { service_account_json: key } = credentials
    const as = key === undefined ? serviceIdentityOf(tools) : readKey(key)
    if (as === null) return new RefusingSender(failedWith('invalid_settings', NO_IDENTITY))
    return new PubsubSender({
      projectId: config.project_id,
      topic: config.topic,
      as,
      ...(ours === undefined ? google(config.endpoint, tools.network) : emulator(ours, tools.network)),
      orderingKey:
        config.ordering_key_template === undefined ? null : openTemplate(config.ordering_key_template),
    })
  },
})
