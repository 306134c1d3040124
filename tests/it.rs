mod detect_score;
