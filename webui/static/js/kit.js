// The kit page.
import { startShell } from "./shell.js";

startShell();
