"""The web app: `streamlit run app.py`, or `gridgis serve`, which adds the map routes."""

from gridgis.pages.main import main

main()
