"""Writes a wheel with one data file: make_wheel.py FOLDER NAME VERSION MEMBER CONTENT_FILE.

The package's code would leave a trace if anything ran it.
"""
import os, sys, zipfile

folder, name, version, member, content = sys.argv[1:]
with zipfile.ZipFile(f"{folder}/{name}-{version}-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
    wheel.write(content, member)
    wheel.writestr(f"{name}/__init__.py", f"open({os.path.join(folder, 'was-run')!r}, 'w')\n")
    info = f"{name}-{version}.dist-info"
    wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: not-there\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(f"{info}/RECORD", "")
