"""Theory: what is known of a run in closed form, to lay over its trajectory. numpy only, so that the API can use it."""
