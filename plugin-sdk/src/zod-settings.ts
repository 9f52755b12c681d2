/**
 * zod compiles a parser for each schema at its first use. Most of ours are used once in a process, and to compile one
 * takes longer than to parse without: 7 ms of a start. Imported before the first schema, which takes note of it.
 */
import { z } from 'zod';

z.config({ jitless: true });
