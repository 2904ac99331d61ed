"""Text for terminals and mails: functions from results to lines, which print nothing."""
