import type { Recipe } from '../recipe.js'
import { killApps } from './r1-kill-apps.js'
import { kafkaAway } from './r4-kafka-away.js'
import { databaseAway } from './r5-database-away.js'
import { sickNeighbours } from './r11-sick-neighbours.js'

/** All recipes, in the order in which they run. */
export const RECIPES: readonly Recipe[] = [killApps, kafkaAway, databaseAway, sickNeighbours]
