import { readFileSync } from 'node:fs'
import { defineDriver } from '../driver.js'
import { document, template, text } from '../fields.js'
import { openTemplate } from '../template.js'
import { checkKey, readKey } from './gcp-pubsub.key.js'
import { PubsubSender } from './gcp-pubsub.sender.js'

/** The guide and the icon lie beside the source, whether this file runs from `src` or from `dist`. */
const asset = (name: string): string =>
  readFileSync(new URL(`../../src/gcp-pubsub/${name}`, import.meta.url), 'utf8')

const GOOGLE = 'pubsub.googleapis.com:443'

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
      pattern: /(?:[a-z0-9.-]{1,100}:)?[a-z][a-z0-9-]{4,28}[a-z0-9]/,
      expected: 'must be the ID of a project, such as my-project-123',
    }),
    topic: text({
      label: 'Topic',
      description: 'The name of the topic, without projects/… before it.',
      // https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names
      pattern: /(?!goog)[A-Za-z][A-Za-z0-9._~+%-]{2,254}/,
      expected: 'must be the name of a topic: 3 to 255 letters, digits and -._~+%, beginning with a letter',
    }),
    endpoint: text({
      label: 'Endpoint',
      description: 'Only if you need a regional endpoint, for example us-east1-pubsub.googleapis.com:443.',
      default: GOOGLE,
      pattern: /(?:[a-z0-9-]{1,63}\.){1,5}googleapis\.com:443/,
      expected: "must be an endpoint of Google's, such as us-east1-pubsub.googleapis.com:443",
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
        'The whole content of the JSON key file of a service account that may publish to the topic.',
      sensitive: true,
      check: checkKey,
    }),
  },
  target: ({ project_id, topic }) => ({
    target: `projects/${project_id}/topics/${topic}`,
    targetUrl: `https://console.cloud.google.com/cloudpubsub/topic/detail/${topic}?project=${project_id}`,
  }),
  addresses: () => [],
  open: ({ config, credentials }, { endpoints }) => {
    const ours = endpoints.get('gcp_pubsub')
    return new PubsubSender({
      projectId: config.project_id,
      topic: config.topic,
      endpoint: ours === undefined ? config.endpoint : new URL(ours).host,
      isEmulator: ours !== undefined,
      key: readKey(credentials.service_account_json),
      orderingKey:
        config.ordering_key_template === undefined ? null : openTemplate(config.ordering_key_template),
    })
  },
})
