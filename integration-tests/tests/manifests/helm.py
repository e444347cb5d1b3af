"""Renders k8s/chart by Helm's own code, for chart.rs: one JSON list of texts for each line of values on standard input.

    python3 helm.py CHART <values.jsonl         # Python with the package helm-python-sdk

An error, such as of the schema of values, is a JSON string in place of the list.
"""

import json
import sys

import helm_python as helm

with helm.Chart.load(sys.argv[1]) as chart:
    for line in sys.stdin:
        values = json.loads(line)
        try:
            chart.validate_schema(values)
            rendered = list(chart.render(values, name="herd", namespace="herd").values())
        except Exception as error:
            rendered = str(error)
        print(json.dumps(rendered), flush=True)
