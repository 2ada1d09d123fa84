"""Looking into topics without being a consumer: nothing here joins a group or commits an offset."""
