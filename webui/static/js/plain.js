// A page without a script of its own.
import { startShell } from "./shell.js";

startShell();
