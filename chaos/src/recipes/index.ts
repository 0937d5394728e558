import type { Recipe } from '../recipe.js'
import { killApps } from './r1-kill-apps.js'
import { rollingRestart } from './r2-rolling-restart.js'
import { brokerKilled } from './r3-broker-killed.js'
import { kafkaAway } from './r4-kafka-away.js'
import { databaseAway } from './r5-database-away.js'
import { zombie } from './r7-zombie.js'
import { badNetwork } from './r10-bad-network.js'
import { sickNeighbours } from './r11-sick-neighbours.js'
import { loudTenant } from './r12-loud-tenant.js'
import { backlog } from './r13-backlog.js'
import { poison } from './r14-poison.js'
import { rebalanceStorm } from './r15-rebalance-storm.js'
import { deadLetters } from './r18-dead-letters.js'

/** All recipes, in the order in which they run. */
export const RECIPES: readonly Recipe[] = [
  killApps,
  rollingRestart,
  brokerKilled,
  kafkaAway,
  databaseAway,
  zombie,
  badNetwork,
  sickNeighbours,
  loudTenant,
  backlog,
  poison,
  rebalanceStorm,
  deadLetters,
]
