import { secret, text, url } from '../fields.js'

/** What only some logins, and only destinations with a schema registry, need. */
export const optionalFields = {
  oauth_token_url: url({
    label: 'OAuth token URL',
    description:
      'For OAUTHBEARER: where tokens are given for the user name (client id) and password (client secret).',
    required: false,
  }),
  oauth_scope: text({
    label: 'OAuth scope',
    description: 'For OAUTHBEARER: the scope that is asked for, where the token endpoint needs one.',
    required: false,
  }),
  schema_registry_url: url({
    label: 'Schema registry URL',
    description:
      'Base URL of a registry with the API of Confluent. When given, payloads are encoded by the latest schema of the subject.',
    required: false,
  }),
  schema_subject: text({
    label: 'Schema subject',
    description: 'The subject in the schema registry. The name of the topic with -value unless given.',
    required: false,
  }),
}

export const registryLoginFields = {
  schema_registry_username: text({
    label: 'Schema registry user',
    description: 'The user of the schema registry, or the key of its API. Leave it empty when it needs none.',
    required: false,
  }),
  schema_registry_password: secret({
    label: 'Schema registry password',
    description: 'The password of the user of the schema registry, or the secret of its API key.',
    required: false,
  }),
}
