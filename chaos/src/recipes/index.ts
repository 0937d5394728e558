import type { Recipe } from '../recipe.js'
import { killApps } from './r1-kill-apps.js'

/** All recipes, in the order in which they run. */
export const RECIPES: readonly Recipe[] = [killApps]
