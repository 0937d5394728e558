/** Markdown that is also aligned for a terminal: first column to the left, figures to the right. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const pad = (cell: string, column: number): string => {
    const width = widths[column] ?? 0
    return column === 0 ? cell.padEnd(width) : cell.padStart(width)
  }
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => pad(cell, column)).join(' | ')} |`
  const rule = widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [line(headings), `| ${rule.join(' | ')} |`, ...rows.map(line)].join('\n')
}

const NONE = '–'

export const whole = (value: number): string =>
  Number.isFinite(value) ? Math.round(value).toLocaleString('en-US') : NONE
export const tenths = (value: number): string => (Number.isFinite(value) ? value.toFixed(1) : NONE)
export const hundredths = (value: number): string => (Number.isFinite(value) ? value.toFixed(2) : NONE)
export const percent = (share: number): string => (Number.isFinite(share) ? `${whole(share * 100)} %` : NONE)
/** How many times `base` goes into `value`. */
export const times = (value: number, base: number): string =>
  Number.isFinite(value / base) ? `${(value / base).toFixed(2)}×` : NONE
/** The larger one as a multiple of the smaller, as `1 : 13.5`. */
export const oneTo = (smaller: number, larger: number): string =>
  Number.isFinite(larger / smaller) ? `1 : ${(larger / smaller).toFixed(1)}` : NONE
