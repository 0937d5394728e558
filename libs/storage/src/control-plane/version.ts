import type { EntityManager } from 'typeorm'

/** The next version of the catalog. IMPORTANT: draw it after the row is locked, or two changes could swap. */
export async function nextVersion(tx: EntityManager): Promise<number> {
  const rows: { version: string }[] = await tx.query(`SELECT nextval('catalog_version') AS version`)
  return Number(rows[0]?.version)
}
