"""Run once when the pool opens: what this interpreter is, and the runner compiled for it."""
import base64
import json
import marshal
import os
import sys
import sysconfig
import zoneinfo

sources = json.load(sys.stdin)
paths = sysconfig.get_paths()
print(json.dumps({
    "executable": os.path.realpath(sys.executable),
    "version": list(sys.version_info[:3]),
    "read": sorted({paths["stdlib"], paths["platstdlib"], sysconfig.get_config_var("LIBDIR") or paths["stdlib"], *filter(os.path.isdir, zoneinfo.TZPATH)}),
    "bundle": base64.b64encode(marshal.dumps([
        (name, compile(code, f"<carillon>/{name}.py", "exec", dont_inherit=True)) for name, code in sources
    ])).decode(),
}))
