import { TreeInterpreter, type JSONArray, type JSONValue, type Scope } from '@jmespath-community/jmespath'
import { charactersMade, OWN_FUNCTIONS } from './template-functions.js'

type Interpreter = typeof TreeInterpreter
export type TemplateNode = Parameters<Interpreter['visit']>[0]
type Value = ReturnType<Interpreter['visit']>
type Let = Extract<TemplateNode, { type: 'LetExpression' }>
type Comparison = Extract<TemplateNode, { type: 'Comparator' }>
type ScopeChain = ReturnType<typeof Scope>

/**
 * Units of one evaluation. A unit is a step, an element that a function looks at, or some characters that it reads:
 * 0.1 to 0.7 µs, so that no evaluation holds up the others of its process for longer than some 35 ms (measured: 4 to 33
 * with the attacks of the tests, reading the data included). A template over a payload with 1,000 members needs a few thousand.
 */
const MAX_WORK_UNITS = 50_000
/** The library looks at some characters one by one, which takes 20 ns each. */
const CHARACTERS_PER_UNIT = 8
/** Elements of any array: those of projections cost a step each, others nothing. */
const MAX_ELEMENTS = 10_000

/** Thrown inside an evaluation only. */
export class TooMuch extends Error {}

/**
 * The library's interpreter, with bounds. It has none of its own: a value can be shared, doubled by each pipe and then
 * walked through, a function can make an array as long as a number says, and `trim` and `let` leave its steps behind.
 * Work is paid for before it is done. One evaluation at a time, none within another.
 */
class BoundedInterpreter extends (TreeInterpreter.constructor as new () => Interpreter) {
  private leftUnits = 0

  constructor() {
    super()
    const { runtime } = this
    for (const [name, own] of Object.entries(OWN_FUNCTIONS)) {
      const entry = runtime._functionTable[name]
      if (!entry) throw new Error(`the library has no function ${name}`)
      runtime._functionTable[name] = { ...entry, _func: own }
    }
    const call = runtime.callFunction.bind(runtime)
    runtime.callFunction = (name, args) => {
      this.payFor(name, args)
      return call(name, args)
    }
  }

  override search(node: TemplateNode, value: JSONValue): JSONValue {
    this.leftUnits = MAX_WORK_UNITS
    return super.search(node, value)
  }

  override visit(node: TemplateNode, value: Value): Value {
    this.pay(1)
    const result = this.resultOf(node, value)
    if (Array.isArray(result) && result.length > MAX_ELEMENTS) throw new TooMuch()
    return result
  }

  private resultOf(node: TemplateNode, value: Value): Value {
    // The library would find what objects inherit.
    if (node.type === 'Field' && !hasOwn(value, node.name)) return null
    if (node.type === 'LetExpression') return this.visitLet(node, value)
    if (node.type === 'Comparator') return this.compare(node, value)
    if (node.type === 'Flatten') return this.flatten(this.visit(node.child, value))
    if (node.type === 'Slice' && typeof value === 'string') this.pay(unitsOfText(value.length))
    return super.visit(node, value)
  }

  /** The library would go on with another interpreter, and without the variables inside of expressions for `map`. */
  private visitLet({ bindings, expression }: Let, value: Value): Value {
    const holder = this as unknown as { _scope: ScopeChain }
    const outer = holder._scope
    const values = bindings.map((one) => [one.variable, this.visit(one.reference, value)] as const)
    holder._scope = outer.withScope(Object.fromEntries(values) as Record<string, JSONValue>)
    try {
      return this.visit(expression, value)
    } finally {
      holder._scope = outer
    }
  }

  private compare(node: Comparison, value: Value): Value {
    const [left, right] = [this.visit(node.left, value), this.visit(node.right, value)]
    // They are walked through together, as far as they are equal.
    if (typeof left === typeof right) this.payForAll(left)
    this.pay(unitsOf(right))
    return super.visit({ ...node, left: literal(left), right: literal(right) }, value)
  }

  private flatten(list: Value): Value {
    if (!Array.isArray(list)) return null
    for (const element of list) this.pay(Array.isArray(element) ? element.length : 1)
    return list.flat()
  }

  private payFor(name: string, args: readonly Value[]): void {
    for (const arg of args) this.pay(unitsOf(arg))
    this.pay(unitsOfText(charactersMade(name, args)))
    const [first, second] = args
    if (name === 'to_string') this.payForAll(first)
    if (name === 'sort') this.payForSorting(first)
    if (name === 'sort_by' && Array.isArray(first))
      this.payForSorting(first.map((element) => this.visit(second as TemplateNode, element)) as JSONArray)
  }

  private payForSorting(elements: Value | undefined): void {
    if (Array.isArray(elements)) this.pay(unitsOf(elements) * Math.ceil(Math.log2(elements.length + 1)))
  }

  /** For a value and all that is in it, as often as it is in it. */
  private payForAll(value: Value | undefined): void {
    this.pay(typeof value === 'string' ? unitsOfText(value.length) : 1)
    if (typeof value !== 'object' || value === null) return
    for (const child of Object.values(value)) this.payForAll(child as Value)
  }

  private pay(units: number): void {
    this.leftUnits -= units
    if (this.leftUnits < 0) throw new TooMuch()
  }
}

/** One for all templates: to make one takes 25 µs and some kilobytes, to evaluate `metadata.topic` takes 5 µs. */
const interpreter = new BoundedInterpreter()

/** Evaluates a parsed expression. Throws `TooMuch`, or an error of the library whose message tells the tenant why. */
export const evaluateNode = (node: TemplateNode, context: JSONValue): JSONValue =>
  interpreter.search(node, context)

const hasOwn = (value: unknown, name: string): boolean =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, name)

const literal = (value: Value): TemplateNode => ({ type: 'Literal', value: value as JSONValue })

const unitsOfText = (characters: number): number => 1 + Math.floor(characters / CHARACTERS_PER_UNIT)

/** For what is directly in a value. */
function unitsOf(value: Value): number {
  if (typeof value === 'string') return unitsOfText(value.length)
  if (Array.isArray(value))
    return value.reduce<number>(
      (units, element) => units + (typeof element === 'string' ? unitsOfText(element.length) : 1),
      1,
    )
  return typeof value === 'object' && value !== null ? 1 + Object.keys(value).length : 1
}
