"""Speed and memory of gridgis beside other libraries; `python -m bench` prints one table."""
