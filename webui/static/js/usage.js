// The usage page.
import { startShell } from "./shell.js";

startShell();
