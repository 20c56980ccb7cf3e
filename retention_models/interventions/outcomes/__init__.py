"""What customers did after their assignment."""
