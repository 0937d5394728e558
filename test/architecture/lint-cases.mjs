// Lints pieces of code as if they stood in the files named, and prints which rules each one broke. A program of its
// own, because ESLint loads its configuration in a way that the test runner's module loader does not support.
import { readFileSync } from 'node:fs'
import { ESLint } from 'eslint'
import tseslint from 'typescript-eslint'

const cases = JSON.parse(readFileSync(0, 'utf8'))
const { languageOptions, rules } = tseslint.configs.disableTypeChecked
const eslint = new ESLint({
  cwd: new URL('../..', import.meta.url).pathname,
  ignore: false,
  // The pieces are in no TypeScript project, so what needs types cannot look at them.
  overrideConfig: [
    {
      files: ['**/*.ts'],
      languageOptions: { parserOptions: { ...languageOptions.parserOptions, project: false } },
      rules: { ...rules, '@typescript-eslint/switch-exhaustiveness-check': 'off' },
    },
  ],
})

const answers = []
for (const { file, code } of cases) {
  const [result] =
    code === undefined ? await eslint.lintFiles([file]) : await eslint.lintText(code, { filePath: file })
  answers.push(result.messages.map(({ ruleId, message }) => `${ruleId ?? 'fatal'}: ${message}`))
}
process.stdout.write(JSON.stringify(answers))
