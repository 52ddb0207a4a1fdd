import { httpService } from "../httpService.ts"

/** A service that never comes to the end of its answer, and is never silent for long. */
export const trickling = httpService((response) => {
  const letters = setInterval(() => response.write(" "), 20)
  response.on("close", () => clearInterval(letters))
})
