import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript'
import { flatConfigs, importX } from 'eslint-plugin-import-x'
import tseslint from 'typescript-eslint'

const APPS = ['gateway', 'router', 'dispatcher', 'retrier', 'recorder']
const LIBS = ['domain', 'drivers', 'kafka', 'storage', 'telemetry', 'config', 'testing']

/** What each library may import of ours. */
const MAY_IMPORT = {
  domain: [],
  telemetry: [],
  config: [],
  // Its suite for all drivers needs libs/testing; nothing else there may.
  drivers: ['domain', 'testing'],
  kafka: ['domain'],
  storage: ['domain'],
}

const SPECS = [
  'apps/*/src/testing/**/*.ts',
  'libs/drivers/src/**/testing/**/*.ts',
  '**/*.spec.ts',
  '**/*.int-spec.ts',
  '**/*.e2e-spec.ts',
  'test/**/*.ts',
]
const SIZES = { skipBlankLines: true, skipComments: true }

/** Arrows that must not be drawn, as zones: `target` must not import from `from`. */
const zones = [
  ...Object.entries(MAY_IMPORT).map(([lib, allowed]) => ({
    target: `./libs/${lib}/src/**/!(*spec).ts`,
    from: [
      ...LIBS.filter((other) => other !== lib && !allowed.includes(other)).map((other) => `./libs/${other}`),
    ],
    message: `libs/${lib} may import ${allowed.length === 0 ? 'nothing' : allowed.join(', ')} of ours`,
  })),
  { target: './libs', from: ['./apps'], message: 'libraries know no app' },
  ...APPS.map((app) => ({
    target: `./apps/${app}`,
    from: APPS.filter((other) => other !== app).map((other) => `./apps/${other}`),
    message: 'apps never import each other',
  })),
  ...[
    './apps/*/src/!(*spec).ts',
    './apps/*/src/!(testing)/**/!(*spec).ts',
    './libs/drivers/src/!(*spec).ts',
    './libs/drivers/src/!(testing)/!(*spec).ts',
    './libs/drivers/src/!(testing)/!(testing)/**/!(*spec).ts',
  ].map((target) => ({ target, from: './libs/testing', message: 'libs/testing is for tests only' })),
]

const clientLibraries = {
  kafkajs: 'Kafka is spoken only in libs/kafka, and by the driver for Kafka',
  '@platformatic/kafka': 'Kafka is spoken only in libs/kafka',
  undici: 'targets are reached only by libs/drivers',
  pg: 'SQL is spoken only in libs/storage',
  typeorm: 'SQL is spoken only in libs/storage',
}

/** Client libraries of targets: a process that sends to no target of a type must not hold its client in memory. */
const LAZY = {
  scopes: ['@aws-sdk/*', '@azure/*', '@google-cloud/*', '@grpc/*', '@kafkajs/*', '@nats-io/*', '@smithy/*'],
  names: ['amqplib', 'google-auth-library', 'ioredis', 'kafkajs', 'mqtt', 'nodemailer', 'ws'],
}
const whenNeeded = {
  allowTypeImports: true,
  message: 'load it with the first event: lazy(() => import(…))',
}
const lazily = [
  'error',
  {
    paths: LAZY.names.map((name) => ({ name, ...whenNeeded })),
    patterns: [{ group: LAZY.scopes, ...whenNeeded }],
  },
]

/** Forbids these packages, with the reason. */
const forbidden = (names) => [
  'error',
  {
    paths: Object.entries(clientLibraries)
      .filter(([name]) => names.includes(name))
      .map(([name, message]) => ({ name, message })),
  },
]

export default tseslint.config(
  { ignores: ['**/dist/**', '**/node_modules/**', '**/*.mjs', 'test/architecture/fixtures/**'] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    files: ['**/*.ts'],
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    languageOptions: {
      parserOptions: { project: './tsconfig.specs.json', tsconfigRootDir: import.meta.dirname },
    },
    plugins: { 'import-x': importX },
    settings: {
      // Without these no-cycle finds nothing in .ts files, and says nothing about that.
      ...flatConfigs.typescript.settings,
      'import-x/resolver-next': [createTypeScriptImportResolver({ project: './tsconfig.specs.json' })],
    },
    rules: {
      'import-x/no-cycle': 'error',
      'import-x/no-default-export': 'error',
      'import-x/no-restricted-paths': ['error', { zones }],
      'max-lines': ['error', { max: 400, ...SIZES }],
      'max-lines-per-function': ['error', { max: 60, ...SIZES }],
      'max-params': ['error', 5],
      'max-depth': ['error', 4],
      complexity: ['error', 12],
      'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx'], location: 'anywhere' }],
      'no-restricted-syntax': [
        'error',
        { selector: 'TSEnumDeclaration', message: 'use a union of literals' },
        {
          selector: "MemberExpression[object.name='process'][property.name='env']",
          message: 'settings are read in libs/config',
        },
      ],
      'no-restricted-imports': forbidden(['kafkajs', '@platformatic/kafka', 'undici', 'pg', 'typeorm']),
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
    },
  },
  {
    files: ['libs/kafka/src/**'],
    rules: { 'no-restricted-imports': forbidden(['undici', 'pg', 'typeorm']) },
  },
  {
    files: ['libs/drivers/src/**'],
    rules: {
      'no-restricted-imports': forbidden(['kafkajs', '@platformatic/kafka', 'pg', 'typeorm']),
      '@typescript-eslint/no-restricted-imports': lazily,
    },
  },
  {
    files: ['libs/drivers/src/kafka/**'],
    rules: { 'no-restricted-imports': forbidden(['@platformatic/kafka', 'pg', 'typeorm']) },
  },
  {
    files: ['libs/storage/src/**'],
    rules: { 'no-restricted-imports': forbidden(['kafkajs', '@platformatic/kafka', 'undici']) },
  },
  {
    // Programs for people, tests and benchmarks talk to everything from outside, and are run with an environment.
    files: ['tools/**', 'bench/**', 'chaos/**', 'libs/testing/**', ...SPECS],
    rules: {
      'no-restricted-imports': 'off',
      '@typescript-eslint/no-restricted-imports': 'off',
      'no-restricted-syntax': [
        'error',
        { selector: 'TSEnumDeclaration', message: 'use a union of literals' },
      ],
    },
  },
  { files: ['libs/config/src/settings.ts'], rules: { 'no-restricted-syntax': 'off' } },
  { files: SPECS, rules: { 'max-lines-per-function': 'off' } },
)
