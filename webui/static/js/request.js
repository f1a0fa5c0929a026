// The request page.
import { startShell } from "./shell.js";

startShell();
