// An Express application of a few lines, with nothing but what Express does itself. Settings: {port}.
import express from 'express';
import { createServer } from 'node:http';
import { listen, settings } from '../lib/process.mjs';

const app = express();
app.get('/api/items', (request, response) => response.json([1, 2, 3]));
listen(createServer(app), settings.port);
