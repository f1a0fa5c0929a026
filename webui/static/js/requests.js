// The requests page.
import { startShell } from "./shell.js";

startShell();
