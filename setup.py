"""The one thing that setup.cfg cannot say: the compiled inner loop, which may be missing."""

from hashlib import sha256
from pathlib import Path

from setuptools import Extension, setup

FOLDER = "hgeisim/drivers/explored/compiled"
SOURCE = f"{FOLDER}/search.c"
DIGEST = sha256((Path(__file__).parent / SOURCE).read_bytes()).hexdigest()

setup(
    ext_modules=[
        Extension(
            f"{FOLDER}/_search".replace("/", "."),
            [SOURCE],
            define_macros=[("SOURCE_DIGEST", f'"{DIGEST}"')],
            extra_compile_args=["-O3"],
            optional=True,
        )
    ]
)
