import marshal, os, sys, types
def take(n):
    b = b""
    while len(b) < n:
        d = os.read(3, n - len(b))
        if not d:
            os._exit(0)
        b += d
    return b
for name, code in marshal.loads(take(int.from_bytes(take(4), "big"))):
    m = sys.modules[name] = types.ModuleType(name)
    exec(code, m.__dict__)
m.main()
