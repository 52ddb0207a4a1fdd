/**
 * Titles of films that do not exist. Each names a place or a person made up of syllables, so it meets no real film.
 *
 * @since 0.1.0
 */
import * as Random from "../Random.ts"

const heads = [
  "Or",
  "Vel",
  "Mir",
  "Tav",
  "Quen",
  "Lys",
  "Bram",
  "Dor",
  "Fen",
  "Hal",
  "Isk",
  "Jor",
  "Kest",
  "Nim",
  "Pell"
]
const middles = ["a", "e", "i", "o", "u", "an", "el", "is", "or"]
const tails = ["vel", "din", "moor", "wick", "tha", "rund", "sley", "mere", "quist", "bray", "nock", "lund", "shaw"]

const nouns: Readonly<Record<string, ReadonlyArray<string>>> = {
  Drama: ["Orchard", "Winter Ledger", "Ferry", "Long Table", "Glass Harbour", "Inheritance", "Borrowed House"],
  Comedy: ["Accidental Mayor", "Wedding Caterer", "Wrong Suitcase", "Goose", "Terrible Choir", "Landlord"],
  Action: ["Detonator", "Last Convoy", "Steel Meridian", "Courier", "Red Runway", "Breakwater"],
  Thriller: ["Ninth Witness", "Silent Switchboard", "Borrowed Alibi", "Cold Signal", "Locked Ferry", "Double Ledger"],
  Adventure: ["Lost Atlas", "River Crown", "Salt Caravan", "Cartographer", "Emerald Pass", "Far Lighthouse"],
  Romance: ["Letters", "Balcony", "Second Spring", "Violin Teacher", "Paper Swans", "Night Train"],
  "Sci-Fi": ["Orbital Garden", "Copper Moon", "Sleepers", "Quiet Machine", "Ion Harbour", "Seventh Satellite"],
  Crime: ["Pawnbroker", "Counterfeiters", "Velvet Heist", "Dockside Ledger", "Honest Thief", "Safecracker"],
  Fantasy: ["Moth Queen", "Clockwork Wyrm", "Lantern Keeper", "Thistle Crown", "Bell Witch", "Glass Knight"],
  Children: ["Brave Umbrella", "Biscuit Pirates", "Runaway Kite", "Sleepy Dragon", "Button Parade", "Snow Bakery"],
  Mystery: ["Missing Organist", "Blue Cabinet", "Vanishing Stair", "Third Portrait", "Sealed Attic", "Hollow Clock"],
  Horror: ["Whispering Cellar", "Pale Guest", "Teeth", "Drowned Chapel", "Hungry Fog", "Thirteenth Room"],
  Animation: ["Paper Fox", "Tiny Astronomer", "Cloud Shepherd", "Marmalade Owl", "Clay Circus", "Inkwell"],
  War: ["Bridgehead", "Field Hospital", "Last Telegram", "Grey Regiment", "Frozen Trench", "Signalman"],
  Musical: ["Tap Shoes", "Midnight Chorus", "Brass Parade", "Songbird", "Encore", "Accordion Summer"],
  Documentary: ["Year", "Beekeepers", "Voices", "Disappearing Coast", "Hidden Archive", "Salt Workers"],
  Western: ["Dust Preacher", "Copper Spur", "Last Stagecoach", "Dry Creek", "Lonely Sheriff", "Iron Saddle"],
  "Film-Noir": ["Velvet Shadow", "Rain Alibi", "Nightclub Pianist", "Smoke Widow", "Crooked Lamp", "Late Edition"]
}

/**
 * The 18 genres, most frequent first.
 *
 * @category constants
 * @since 0.1.0
 */
export const genres: ReadonlyArray<string> = Object.keys(nouns)

const sequels = ["The Return", "Ashes", "A New Tide", "The Reckoning", "Homecoming"]

const pick = (random: Random.Random, from: ReadonlyArray<string>): string => from[Random.int(random, from.length)] ?? ""

const place = (random: Random.Random): string => pick(random, heads) + pick(random, middles) + pick(random, tails)

const story = (noun: string, where: string): string => `${noun}: ${/^[AEIOU]/.test(where) ? "An" : "A"} ${where} Story`

const first = (random: Random.Random, genre: string): string => {
  const noun = pick(random, nouns[genre] ?? [])
  const form = Random.int(random, 4)
  if (form === 0) return `The ${noun} of ${place(random)}`
  if (form === 1) return story(noun, place(random))
  if (form === 2) return `${place(random)} and the ${noun}`
  return `The ${place(random)} ${noun}`
}

/**
 * Invents the titles of `size` films that belong together, none of them in `taken`, and adds them to it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const invent = (
  random: Random.Random,
  genre: string,
  size: number,
  taken: Set<string>
): ReadonlyArray<string> => {
  let base = first(random, genre)
  while (taken.has(base)) base = first(random, genre)
  const titles = Array.from({ length: size }, (_, k) => (k === 0 ? base : `${base}, Part ${k + 1}: ${sequels[k - 1]}`))
  for (const title of titles) taken.add(title)
  return titles
}
