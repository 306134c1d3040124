# Stands in for python:3.13-slim, which is Debian trixie with Python as well.
FROM kilter-test/debian:trixie
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-pip python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    # As in the original: `python`, and a pip that may install beside the interpreter.
    && ln -s python3 /usr/bin/python \
    && rm -f /usr/lib/python3*/EXTERNALLY-MANAGED
ENV PYTHONUNBUFFERED=1
CMD ["python3"]
