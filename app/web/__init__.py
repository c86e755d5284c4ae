"""The pages for people: server-rendered, working without JavaScript."""
