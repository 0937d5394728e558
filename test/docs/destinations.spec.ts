import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import type { Catalogue, CatalogueField } from '../../libs/drivers/src/driver.js'
import { drivers } from '../../libs/drivers/src/registry.js'

const ROOT = new URL('../../', import.meta.url)
const FOLDER = new URL('docs/destinations/', ROOT)
const INDEX = new URL('docs/destinations.md', ROOT)

const INTRODUCTION = `# Destination types

What the fields \`config\` and \`credentials\` of a destination hold, and how its target is set up, by its \`type\`. All values are strings; switches are \`"true"\` or \`"false"\`. Secrets are stored encrypted and never shown again. \`GET /api/v1/destination-types\` answers with the same: the pages below are made from it.

Fields that end in \`_template\` are [JMESPath](https://jmespath.org/specification.html) expressions over \`data\` (the event's data as JSON), \`metadata\` (the event's metadata and \`topic\`, \`attempt\`, \`timestamp\`, \`"event-id"\`, \`"event-time"\`, \`"delivery-id"\`, the ones with a dash in double quotes) and \`time\` (parts of the event's time: \`year\`, \`month\`, \`day\`, \`hour\`, \`minute\`, \`second\`, \`date\`, \`datetime\`, \`unix\`, \`rfc3339\`, \`rfc3339_nano\`). A template that takes too long for an event, or looks at more than 400,000 characters of it, fails with \`template_failed\`, and so does one that gives no text, or an empty one.
`

/** Text as it stands in a cell of a table. */
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ')
const code = (text: string): string => (text.includes('`') ? `\`\` ${text} \`\`` : `\`${text}\``)

/** What a value must be like, beside the meaning. */
function limits({ type, options, minlength, maxlength, pattern }: CatalogueField): string {
  if (options) return options.map(({ value }) => code(value)).join(', ')
  if (type === 'checkbox') return '`true`, `false`'
  const length = minlength === undefined ? `≤ ${maxlength}` : `${minlength}–${maxlength}`
  return [
    ...(type === 'key_value_map' ? ['JSON object of strings'] : []),
    ...(maxlength === undefined ? [] : [`${length} characters`]),
    ...(pattern === undefined || pattern === '^(?:[^]*)$' ? [] : [code(pattern)]),
  ].join(', ')
}

function row(half: string, field: CatalogueField): string {
  const { key, required, sensitive, description } = field
  const cells = [
    code(`${half}.${key}`),
    required ? 'yes' : 'no',
    field.default === undefined ? '' : code(field.default),
    limits(field),
    sensitive ? `${description} Secret.` : description,
  ]
  return `| ${cells.map(cell).join(' | ')} |`
}

/** What somebody needs who has a target of this type: the guide of the catalogue, then every field. */
function page({
  type,
  label,
  description,
  instructions,
  config_fields,
  credential_fields,
}: Catalogue): string {
  const rows = [
    ...config_fields.map((field) => row('config', field)),
    ...credential_fields.map((field) => row('credentials', field)),
  ]
  return [
    `# ${label} (${code(type)})`,
    '',
    description,
    '',
    '## Set it up',
    '',
    instructions.trim(),
    '',
    '## Fields',
    '',
    '| field | required | default | values | meaning |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n')
}

const index = (): string =>
  [
    INTRODUCTION,
    '| type | what it does |',
    '| --- | --- |',
    ...drivers.map(
      ({ type, catalogue }) =>
        `| [${code(type)}](destinations/${type}.md) | ${cell(catalogue.description)} |`,
    ),
    '',
  ].join('\n')

/** The documents as they follow from the drivers. */
const documents: readonly (readonly [name: string, file: URL, text: string])[] = [
  ['destinations.md', INDEX, index()],
  ...drivers.map(
    ({ type, catalogue }) =>
      [`destinations/${type}.md`, new URL(`${type}.md`, FOLDER), page(catalogue)] as const,
  ),
]

describe('the documents of destination types', () => {
  it.each(documents)(
    'docs/%s says what the catalogue says (UPDATE_DOCS=1 writes it anew)',
    (_name, file, text) => {
      if (process.env['UPDATE_DOCS']) writeFileSync(file, text)
      expect(readFileSync(file, 'utf8')).toBe(text)
    },
  )

  it('are of registered types only', () => {
    expect(readdirSync(FOLDER).sort()).toEqual(drivers.map(({ type }) => `${type}.md`).sort())
  })

  it.each(documents)('docs/%s has no cell that would end its row', (_name, _file, text) => {
    const rows = text.split('\n').filter((line) => line.startsWith('|'))
    const columns = rows.map((line) => line.replaceAll('\\|', '').split('|').length)
    expect(new Set(columns).size).toBe(1)
  })

  it.each(drivers.map(({ type, catalogue }) => [type, catalogue.instructions]))(
    'the guide of %s tells how to see an event arrive',
    (_type, instructions) => {
      expect(instructions).toContain('### See it arrive')
    },
  )

  it.each(drivers.map(({ type, catalogue }) => [type, catalogue.instructions]))(
    'the guide of %s has headings below that of its page only, and ends every block of code',
    (_type, instructions) => {
      // With a heading of the page's own level the sections after it belonged to "With a role instead of keys".
      const [prose, ...blocks] = instructions.split(/^ *```/m)
      expect(blocks.length % 2).toBe(0)
      const text = [prose, ...blocks.filter((_block, index) => index % 2 === 1)].join('')
      expect(text.match(/^#{1,2} .*/gm) ?? []).toEqual([])
    },
  )

  it('are proved by what the README names', () => {
    const readme = readFileSync(new URL('README.md', ROOT), 'utf8')
    const rows = [
      ...readme.matchAll(/^\| \[`([a-z0-9_]+)`\]\((docs\/[^)]+)\).*\[[^\]]+\]\((libs\/[^)]+)\)/gm),
    ]
    expect(rows.map(([, type]) => type).sort()).toEqual(drivers.map(({ type }) => type).sort())
    for (const [, , guide = '', spec = ''] of rows)
      expect([guide, spec].filter((path) => !existsSync(new URL(path, ROOT)))).toEqual([])
  })
})
