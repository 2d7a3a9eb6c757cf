"""Pictures are decoded, checked and prepared. The only package that imports Pillow."""
