"""Files to arrays and text: frames, waveforms, pictures, captions, subtitles.

Every reader takes a path and raises `UserError("media", ...)`, beginning with that path, when the
file cannot be used. Import the reader you need (`gramcli.media.video`); nothing heavy loads here.
"""
