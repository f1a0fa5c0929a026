"""Programs that use clients which stand on the SDKs; each prints what came of it as JSON. They leave connections open at exit."""
