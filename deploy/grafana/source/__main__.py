"""``python -m deploy.grafana.source`` writes the dashboards; run it after each change and commit what it wrote."""

from deploy.grafana.source.write import FOLDER, texts

for name, text in texts().items():
    (FOLDER / name).write_text(text, "utf-8")
